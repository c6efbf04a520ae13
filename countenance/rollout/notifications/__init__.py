"""Messages to the operators: queued in the transaction of the move that they tell of, delivered afterwards."""
