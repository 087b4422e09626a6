//! The way, from Markdown to the bytes on the wire. Pure: no file reads files, clock, or network.

pub mod newsletter;
pub mod rendered;
pub mod tree;
