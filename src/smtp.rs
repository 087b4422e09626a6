//! SMTP on sockets, both ends: the client that sends, the server that catches.

pub mod client;
pub mod server;
