"""The training step: SFT, then length-normalised DPO, of a target model."""

import os

# Read by torch when it makes its first tensor: large CPU tensors in huge pages. With ordinary ones the kernel spends
# a third of a training step on handing out and clearing pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
