"""What an operator asks of a running service: is all as the facts say, and what would a cancellation come to.

Invariants

* Reads only, in read-only transactions, alongside any number of workers.
* Nothing is decided here that counts: the domain decides once more, and the answer is compared or shown.
* SQL is static and stands beside the function that runs it.

Not owned here: putting right what differs. A difference is a bug or a broken disk, and a person's to judge.
"""
