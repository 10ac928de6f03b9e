"""Short videos of a given rate, made by ffmpeg."""
import subprocess


def film(path, rate, frames, gap=None):
    """Writes a video; with ``gap=(frame, steps)`` that frame and those behind it come so many steps later."""
    late = [] if gap is None else ["-vf", f"setpts=N+gte(N\\,{gap[0]})*{gap[1]}", "-fps_mode", "passthrough"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=size=64x48:rate={rate}", "-frames:v", str(frames),
         *late, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", str(path)], check=True)
