"""How units and stretches lie in memory."""

# Units lie in blocks of LANES in the order of their kinks, each field of a block contiguous: its fields are a constant
# distance apart, so that LLVM need not check whether they overlap. Stretch i ends at kink i. Positions after the units'
# are units of zeros with their kink right of all samples; the first of them ends the last stretch. An epoch of 1,000
# units without a moved kink takes 8.9, 6.6 and 5.0 us with blocks of 16, 32 and 64, one of 10 units 0.17, 0.28, 0.36.
LANES = 64

# Fields of a position: the unit, its side (1 if active right of its kink, -1 if left of it), what its two guard samples
# (beside its kink) are to see, ...
W, BETA, SIDE, SEEN, LEFT, RIGHT = range(6)
# ... and mass, mean of x and spread of its stretch. Then for each output: weight, sums of r and r x left of the kink,
# and mean of y, slope and rest of the stretch.
MASS, MEAN_X, SPREAD = 6, 7, 8
COMMON = 9
V, ERROR, ERROR_X, MEAN_Y, SLOPE, REST = range(6)
PER_OUTPUT = 6

# What the guards of a unit see, 1 for an active left one plus 2 for an active right one.
NONE, PREFIX, SUFFIX, ALL = range(4)

CROSSINGS, N_MOVED, N_SINCE, N_MOVED_SINCE, N_CHECKS = range(5)  # of `counts`
