//! Broadsheet: newsletters written as stories, checked, sent once to every reader, left with one click.

pub mod values;

pub mod audience;
pub mod delivery;
pub mod issue;
pub mod schedule;

#[macro_use]
pub mod store;
pub mod config;
pub mod fetch;
pub mod media;
pub mod smtp;

pub mod verbs;

pub mod cli;
pub mod web;
