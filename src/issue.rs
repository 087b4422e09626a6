//! The way, from Markdown to the bytes on the wire. Pure: no file reads files, clock, or network.

pub mod columns;
pub mod credit;
pub mod finding;
pub mod links;
pub mod newsletter;
pub mod parse;
pub mod pictures;
pub mod quote;
pub mod rendered;
pub mod slots;
pub mod text;
pub mod tree;
pub mod words;
