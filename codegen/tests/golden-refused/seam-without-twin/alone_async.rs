//! Alone.
