//! Values: small types with rules of their own and no I/O. Every band may use them.

pub mod address;
pub mod clock;
pub mod ids;
pub mod relay;
pub mod token;
