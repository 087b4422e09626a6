//! When: wall times, zones, weekly slots. Pure.
