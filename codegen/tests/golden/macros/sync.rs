macro_rules! forward {
    ($(#[$meta:meta])* $wrapper:ty, $store:ident) => {
        $(#[$meta])*
        impl<$store: Store + ?Sized> Store for $wrapper {
            fn get(&self, key: &str) -> Option<u32> {
                (**self).get(key)
            }
        }

        impl<$store: Store> $wrapper {
            fn own(&self) -> kv_sync::Answer {
                self.get("a")
            }
        }
    };
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                let answer = super::contract::$name(store());
                assert!(answer.is_ok(), "{answer:?}");
            }
        )*
    };
}

forward!(
    /// Documented.
    Arc<S>, S);

contract! {
    fn declared(kv: kv_sync::Kv) {}
}
