//! Wrappers: stores around a store, each with one thing of its own.
