//! Who gets it: the subscription's status machine, consent, CSV. Pure.

pub mod recipient;
