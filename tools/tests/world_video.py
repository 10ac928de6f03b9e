"""Short videos of a given rate, made by ffmpeg."""
import subprocess


def film(path, rate, frames, gap=None, size="64x48"):
    """Writes a video; with ``gap=(frame, steps)`` that frame and those behind it come so many steps later."""
    late = [] if gap is None else ["-vf", f"setpts=N+gte(N\\,{gap[0]})*{gap[1]}", "-fps_mode", "passthrough"]
    source = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}", "-frames:v", str(frames)]
    coding = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *late, *coding, str(path)], check=True)
