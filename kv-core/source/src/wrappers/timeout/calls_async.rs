//! Calls with a deadline, awaiting.

use std::time::Duration;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, ValueRef, Written,
};

use super::{Timeout, late};
use crate::store::Store;
use crate::wrappers::request::{self, Request};

/// A call that has until then to answer.
async fn within<R: Request>(
    request: &R,
    call: CallOptions,
    answer: impl Future<Output = Result<R::Answer>> + Send,
) -> Result<R::Answer> {
    let limit = call.timeout.unwrap_or(Duration::MAX);
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(late(request, limit)))
}

impl<S: Store> crate::wrappers::Wrapper for Timeout<S> {
    type Inner = S;
    const NAME: &'static str = "Timeout";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        self.describe_limit()
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let request = request::Get { name, options };
        let call = self.call(&request);
        let options = (*options).with_call(call);
        within(&request, call, self.inner().get(name, &options)).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let request = request::GetMany { collection, keys, options };
        let call = self.call(&request);
        let options = (*options).with_call(call);
        within(&request, call, self.inner().get_many(collection, keys, &options)).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let request = request::Put { name, value, options };
        let call = self.call(&request);
        let options = options.clone().with_call(call);
        within(&request, call, self.inner().put(name, value, &options)).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let request = request::PutMany { collection, items, options };
        let call = self.call(&request);
        let options = options.clone().with_call(call);
        within(&request, call, self.inner().put_many(collection, items, &options)).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let request = request::Delete { name, options };
        let call = self.call(&request);
        let options = options.clone().with_call(call);
        within(&request, call, self.inner().delete(name, &options)).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let request = request::DeleteMany { collection, keys, options };
        let call = self.call(&request);
        within(&request, call, self.inner().delete_many(collection, keys, &call)).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let request = request::Modify { name, change, options };
        let call = self.call(&request);
        within(&request, call, self.inner().modify(name, change, &call)).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let request = request::List { collection, options };
        let call = self.call(&request);
        let options = options.clone().with_call(call);
        within(&request, call, self.inner().list(collection, &options)).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let request = request::Collections { options };
        let call = self.call(&request);
        let options = options.clone().with_call(call);
        within(&request, call, self.inner().collections(&options)).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let request = request::Count { collection, filter, options };
        let call = self.call(&request);
        within(&request, call, self.inner().count(collection, filter, &call)).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let request = request::Clear { collection, filter, options };
        let call = self.call(&request);
        within(&request, call, self.inner().clear(collection, filter, &call)).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let request = request::Destroy { options };
        let call = self.call(&request);
        within(&request, call, self.inner().destroy(&call)).await
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        let request = request::Cull { options };
        let call = self.call(&request);
        within(&request, call, self.inner().cull(&call)).await
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        let request = request::Ping { options };
        let call = self.call(&request);
        within(&request, call, self.inner().ping(&call)).await
    }

    async fn setup(&self) -> Result<()> {
        let request = request::Setup {};
        let call = self.call(&request);
        within(&request, call, self.inner().setup()).await
    }

    async fn close(&self) -> Result<()> {
        let request = request::Close {};
        let call = self.call(&request);
        within(&request, call, self.inner().close()).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        let request = request::AskCapabilities {};
        let call = self.call(&request);
        within(&request, call, self.inner().capabilities()).await
    }
}
