//! A call in a span, awaiting.

use kv_core::Result;
use tracing::{Instrument as _, Span};

use crate::store::Store;
use crate::wrappers::request::Request;

pub(super) async fn within<R: Request, S: Store>(span: &Span, request: &R, store: &S) -> Result<R::Answer> {
    request.send(store).instrument(span.clone()).await
}
