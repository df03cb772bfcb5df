//! A call in a span, blocking.

use kv_core::Result;
use tracing::Span;

use crate::store::Store;
use crate::wrappers::request::Request;

pub(super) fn within<R: Request, S: Store>(span: &Span, request: &R, store: &S) -> Result<R::Answer> {
    span.in_scope(|| request.send(store))
}
