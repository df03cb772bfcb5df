macro_rules! forward {
    ($(#[$meta:meta])* $wrapper:ty, $store:ident) => {
        $(#[$meta])*
        #[maybe_async::maybe_async]
        impl<$store: Store + ?Sized> Store for $wrapper {
            async fn get(&self, key: &str) -> Option<u32> {
                (**self).get(key).await
            }
        }

        #[maybe_async::maybe_async]
        impl<$store: Store> $wrapper {
            async fn own(&self) -> kv_source::Answer {
                self.get("a")
                    .await
            }
        }
    };
    ($($name:ident),*) => {
        $(
            #[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
            async fn $name() {
                let answer = super::contract::$name(store().await).await;
                assert!(answer.is_ok(), "{answer:?}");
            }
        )*
    };
}

forward!(
    /// Documented.
    Arc<S>, S);

contract! {
    #[maybe_async::maybe_async]
    async fn declared(kv: kv_source::Kv) {}
}
