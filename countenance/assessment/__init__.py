"""How good, for whom, and at what price: numbers in, measurements with intervals out."""
