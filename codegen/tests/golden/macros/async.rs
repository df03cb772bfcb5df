macro_rules! forward {
    ($(#[$meta:meta])* $wrapper:ty, $store:ident) => {
        $(#[$meta])*
        #[async_trait::async_trait]
        impl<$store: Store + ?Sized> Store for $wrapper {
            async fn get(&self, key: &str) -> Option<u32> {
                (**self).get(key).await
            }
        }

        impl<$store: Store> $wrapper {
            async fn own(&self) -> kv_async::Answer {
                self.get("a")
                    .await
            }
        }
    };
    ($($name:ident),*) => {
        $(
            #[tokio::test]
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
    async fn declared(kv: kv_async::Kv) {}
}
