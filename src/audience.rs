//! Who gets it: the subscription's status machine, consent, CSV. Pure.
