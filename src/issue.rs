//! The way, from Markdown to the bytes on the wire. Pure: no file reads files, clock, or network.

mod blocks;
mod canonical;
pub mod check;
pub mod colour;
pub mod columns;
pub mod compose;
pub mod credit;
pub mod dkim;
pub mod encode;
pub mod envelope;
pub mod finding;
pub mod headers;
pub mod html;
pub mod letter;
pub mod links;
pub mod message;
pub mod mjml;
pub mod newsletter;
pub mod parse;
pub mod pictures;
pub mod quote;
pub mod render;
pub mod rendered;
pub mod slots;
pub mod text;
pub mod theme;
pub mod tree;
pub mod web;
pub mod words;

#[cfg(test)]
mod fixtures;
