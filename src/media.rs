//! Pictures: read, turned upright, stripped, scaled, named by their hash.
