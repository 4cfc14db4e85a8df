"""What an operator asks of a running service, and does to it.

Invariants

* Whatever can be told without deciding is read alongside any number of workers, and changes nothing.
* Nothing is decided here that counts: the domain decides once more to verify or preview, and what is resumed
  or replayed takes the way of any message.
* SQL is static and stands beside the function that runs it.

Not owned here: putting right what `verify` finds. A difference is a bug or a broken disk, and a person's to judge.
"""
