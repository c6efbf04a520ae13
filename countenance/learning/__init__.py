"""How the model learns: batches, the multi-task loop, distillation, checkpoints."""
