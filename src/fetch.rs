//! Fetching by https, guarded: never into private space.
