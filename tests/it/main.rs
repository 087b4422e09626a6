//! Stories from outside: real servers on ports of the system's choosing, real databases, mail read at the other end.

mod app;
mod catcher;
mod catching;
mod cli;
mod deliver;
mod disk;
mod editing;
mod fetch;
mod house;
mod issue_file;
mod kill;
mod licences;
mod media;
mod parse;
mod parse_limits;
mod postbox;
mod public;
mod readers;
mod reports;
mod scheduling;
mod script;
mod store;
mod verified;
mod wire;
mod wire_chaos;
mod wire_private;
