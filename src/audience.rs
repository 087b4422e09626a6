//! Who gets it: the subscription's status machine, consent, CSV, what comes back. Pure.

pub mod csv;
pub mod export;
pub mod form;
pub mod import;
pub mod recipient;
pub mod report;
pub mod status;
