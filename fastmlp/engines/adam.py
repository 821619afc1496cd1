"""The constants of Adam: the defaults of torch.optim.Adam, shared by every engine."""

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8
