//! Values: small types with rules of their own and no I/O. Every band may use them.

pub mod address;
pub mod clock;
pub mod colour;
pub mod ids;
pub mod relay;
pub mod sender;
pub mod token;
pub mod zone;
