//! Nobody works on when a call is late: it is dropped.

#[derive(Debug)]
pub(super) struct Workers;

impl Workers {
    pub(super) fn new(_most: usize) -> Self {
        Self
    }
}
