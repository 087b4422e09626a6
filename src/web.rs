//! The web door: readers' pages, the desk, the catcher. Parse, one verb, one page.
