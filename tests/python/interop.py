"""Runs the released Python package for the tests: one JSON command a line in, one JSON answer a line out.

A command names a store, where it is, and an operation:

    {"store": "redis", "url": "redis://localhost:6379", "op": "put", "collection": "c", "key": "k",
     "value_text": "{\"a\": 1}", "ttl": 10.5}

store       redis (url, or host, port, db, username, password), valkey (host, port, db, username, password),
            mongodb (url), postgresql (url), opensearch and elasticsearch (url, api_key),
            disk and multidisk (directory), memory; `options` holds any more arguments of the constructor, and
            "sanitize": true for the store's own way with names that its server cannot hold (mongodb, opensearch,
            elasticsearch), "plain_mapping": true for a server that does not know the type by which opensearch and
            elasticsearch map values
wrappers    what stands around it, the outermost first: compression (min_size_to_compress), fernet (keys, or
            source_material and salt), prefix_keys (prefix), prefix_collections (prefix), single_collection
            (single_collection); each as {"wrapper": name, ...}
op          put, get, ttl, delete, put_many, get_many, ttl_many, delete_many, keys, close;
            raw_get and raw_put read and write what is stored, as text: the text itself (disk, multidisk), the
            document as extended JSON (mongodb), the row as JSON (postgresql), the source of the document
            (opensearch, elasticsearch)
value_text  a value as JSON text, so that NaN, big integers and floats cross exactly; `values_text` is a list of them

Answers carry value_text (sorted keys; null for a miss), values_text, ttl, ttls, deleted, keys or ok; a failure is
{"error": class name, "message": text}. A store is opened once per place and stays open until `close` or the end.
"""

import asyncio
import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

PLACE = ("url", "api_key", "host", "port", "db", "username", "password", "directory", "options", "wrappers")
stores = {}
bare = {}


def open_store(kind, place):
    options = dict(place.pop("options", None) or {})
    directory = place.pop("directory", None)
    if kind == "redis":
        from key_value.aio.stores.redis import RedisStore

        return RedisStore(**place, **options)
    if kind == "valkey":
        from key_value.aio.stores.valkey import ValkeyStore

        return ValkeyStore(**place, **options)
    if kind == "mongodb":
        from key_value.aio.stores.mongodb import store as mongodb

        if options.pop("sanitize", False):
            options["collection_sanitization_strategy"] = mongodb.MongoDBV1CollectionSanitizationStrategy()
        return mongodb.MongoDBStore(**place, **options)
    if kind == "postgresql":
        from key_value.aio.stores.postgresql import PostgreSQLStore

        return PostgreSQLStore(**place, **options)
    if kind in ("opensearch", "elasticsearch"):
        from key_value.aio.stores.elasticsearch import store as elasticsearch
        from key_value.aio.stores.opensearch import store as opensearch

        module, name = (opensearch, "OpenSearch") if kind == "opensearch" else (elasticsearch, "Elasticsearch")
        if options.pop("sanitize", False):
            options["key_sanitization_strategy"] = getattr(module, name + "V1KeySanitizationStrategy")()
            options["collection_sanitization_strategy"] = getattr(module, name + "V1CollectionSanitizationStrategy")()
        if options.pop("plain_mapping", False):
            module.DEFAULT_MAPPING["properties"]["value"] = {"type": "object", "enabled": False}
        return getattr(module, name + "Store")(**place, **options)
    if kind == "disk":
        from key_value.aio.stores.disk import DiskStore

        return DiskStore(directory=directory, **options)
    if kind == "multidisk":
        from key_value.aio.stores.disk import MultiDiskStore

        return MultiDiskStore(base_directory=Path(directory), **options)
    if kind == "memory":
        from key_value.aio.stores.memory import MemoryStore

        return MemoryStore(**options)
    raise ValueError(f"unknown store {kind!r}")


def wrap(store, wrapper, **options):
    if wrapper == "compression":
        from key_value.aio.wrappers.compression import CompressionWrapper

        return CompressionWrapper(store, **options)
    if wrapper == "fernet":
        from cryptography.fernet import Fernet, MultiFernet
        from key_value.aio.wrappers.encryption.fernet import FernetEncryptionWrapper

        if "keys" in options:
            keys = [Fernet(key) for key in options.pop("keys")]
            options["fernet"] = keys[0] if len(keys) == 1 else MultiFernet(keys)
        return FernetEncryptionWrapper(store, **options)
    if wrapper == "prefix_keys":
        from key_value.aio.wrappers.prefix_keys import PrefixKeysWrapper

        return PrefixKeysWrapper(store, **options)
    if wrapper == "prefix_collections":
        from key_value.aio.wrappers.prefix_collections import PrefixCollectionsWrapper

        return PrefixCollectionsWrapper(store, **options)
    if wrapper == "single_collection":
        from key_value.aio.wrappers.single_collection import SingleCollectionWrapper

        return SingleCollectionWrapper(store, **options)
    raise ValueError(f"unknown wrapper {wrapper!r}")


def parse(text):
    return json.loads(text)


def text(value):
    return None if value is None else json.dumps(value, sort_keys=True)


def seconds(ttl):
    return None if ttl is None else float(ttl)


async def raw(store, kind, collection, key, new, ttl):
    """What is stored under a key, as text, or `None`; with a `new` text, that is stored instead."""
    if kind in ("disk", "multidisk"):
        cache = store._cache if kind == "disk" else store._cache[collection]
        written = f"{collection}::{key}" if kind == "disk" else key
        return cache.get(written) if new is None else cache.set(written, new, expire=ttl)
    if kind == "mongodb":
        from bson import json_util

        documents = store._collections_by_name[collection]
        if new is None:
            document = await documents.find_one({"key": key})
            return document and json_util.dumps(document, sort_keys=True)
        return await documents.replace_one({"key": key}, json_util.loads(new), upsert=True)
    if kind == "postgresql":
        table = store._table_name
        if new is None:
            return await store._pool.fetchval(
                f"SELECT row_to_json(t)::text FROM {table} t WHERE collection = $1 AND key = $2", collection, key
            )
        async with store._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"DELETE FROM {table} WHERE collection = $1 AND key = $2", collection, key)
            return await connection.execute(
                f"INSERT INTO {table} SELECT * FROM json_populate_record(null::{table}, $1::json)", new
            )
    if kind in ("opensearch", "elasticsearch"):
        at = {"index": store._get_index_name(collection=collection), "id": store._get_document_id(key=key)}
        if new is None:
            if not await store._client.exists(**at):
                return None
            return json.dumps(dict((await store._client.get(**at))["_source"]), sort_keys=True)
        body = {"body" if kind == "opensearch" else "document": json.loads(new)}
        return await store._client.index(**at, **body, refresh=True)
    raise ValueError(f"no raw access to {kind!r}")


async def answer(command):
    kind = command["store"]
    place = {name: command[name] for name in PLACE if command.get(name) is not None}
    name = json.dumps([kind, place], sort_keys=True)
    op = command["op"]
    if op == "close":
        stores.pop(name, None)
        store = bare.pop(name, None)
        if hasattr(store, "close"):
            await store.close()
        return {"ok": store is not None}
    if name not in stores:
        wrappers = place.pop("wrappers", [])
        bare[name] = stores[name] = open_store(kind, place)
        for wrapper in reversed(wrappers):
            stores[name] = wrap(stores[name], **wrapper)
    store = stores[name]

    at = {"collection": command.get("collection")}
    ttl = command.get("ttl")
    key, keys = command.get("key"), command.get("keys")
    if op == "put":
        await store.put(key, parse(command["value_text"]), ttl=ttl, **at)
        return {"ok": True}
    if op == "get":
        return {"value_text": text(await store.get(key, **at))}
    if op == "ttl":
        value, left = await store.ttl(key, **at)
        return {"value_text": text(value), "ttl": seconds(left)}
    if op == "delete":
        return {"deleted": await store.delete(key, **at)}
    if op == "put_many":
        await store.put_many(keys, [parse(value) for value in command["values_text"]], ttl=ttl, **at)
        return {"ok": True}
    if op == "get_many":
        return {"values_text": [text(value) for value in await store.get_many(keys, **at)]}
    if op == "ttl_many":
        pairs = await store.ttl_many(keys, **at)
        return {"values_text": [text(value) for value, _ in pairs], "ttls": [seconds(left) for _, left in pairs]}
    if op == "delete_many":
        return {"deleted": await store.delete_many(keys, **at)}
    if op == "keys":
        return {"keys": sorted(await store.keys(**at, limit=command.get("limit")))}
    if op in ("raw_get", "raw_put"):
        collection = command.get("collection") or store.default_collection
        await store.setup_collection(collection=collection)
        old = await raw(store, kind, collection, key, command["text"] if op == "raw_put" else None, ttl)
        return {"text": old} if op == "raw_get" else {"ok": True}
    raise ValueError(f"unknown operation {op!r}")


async def close_all():
    for store in bare.values():
        if hasattr(store, "close"):
            await store.close()


def main():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # What a library prints must not stand between the answers.
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            reply = loop.run_until_complete(answer(json.loads(line)))
        except Exception as error:
            reply = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(reply), file=out, flush=True)
    loop.run_until_complete(close_all())


if __name__ == "__main__":
    main()
