"""One torch thread per process: two cores with two threads each run slower than with one."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import torch

torch.set_num_threads(1)
