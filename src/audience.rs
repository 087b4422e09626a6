//! Who gets it: the subscription's status machine, consent, CSV. Pure.

pub mod csv;
pub mod export;
pub mod import;
pub mod recipient;
pub mod status;
