"""Learning-rate schedules, one file each; epochs count from 1."""
