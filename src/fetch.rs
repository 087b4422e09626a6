//! Fetching by https, guarded: never into private space.

pub mod one_click;
