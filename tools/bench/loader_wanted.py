"""What the loader is to reach against each peer: (order, ours, peer, times as fast)."""

WANTED = [
    ("any", "trajpack", "h5py zstd own chunks", 12),
    ("any", "trajpack", "h5py zstd 32 frames", 6),
    ("any", "trajpack", "mosaicml mds", 4),
    ("any", "trajpack", "tensorstore zarr3 zstd", 5),
    ("any", "trajpack", "lance", 10),
    ("any", "trajpack", "lerobot", 1500),
    ("any", "trajpack", "csv + npz", 100),
    ("any", "trajpack", "C loop", 0.85),
    ("any", "trajpack uncompressed mmap first", "numpy memory map", 2.5),
    ("any", "trajpack uncompressed mmap first", "C loop memcpy", 0.80),
    ("clips", "trajpack", "grain + array_record", 6),
    ("clips", "trajpack", "mosaicml mds", 12),
    ("clips", "trajpack", "webdataset", 20),
    ("sequence", "trajpack", "C loop", 0.85),
]
