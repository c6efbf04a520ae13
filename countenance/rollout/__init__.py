"""How a candidate reaches people: policy, state machine, evidence, ledger, replay."""
