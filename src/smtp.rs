//! SMTP on sockets, both ends: the client that sends, the server that catches, and one that fails on purpose.

pub mod client;
pub mod faults;
pub mod server;
