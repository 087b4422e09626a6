//! The demo.

pub mod people;
