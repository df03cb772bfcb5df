//! What is sent with a statement, and how a row is read.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use super::line::protocol;
use super::line::protocol::types::{FromSql, IsNull, ToSql, Type};
use bytes::BytesMut;
use kv_core::formats::postgres::{Query, Row, Sort};
use kv_core::{Error, ErrorKind, Result};

/// A parameter. Its `Debug` form, which the client may log, shows no value.
#[derive(Clone)]
pub(super) enum Param<'a> {
    Text(Cow<'a, str>),
    OptionalText(Option<Cow<'a, str>>),
    Bytes(Option<Cow<'a, [u8]>>),
    Json(Cow<'a, [u8]>),
    Number(i64),
    Instant(Option<i64>),
    Seconds(Option<f64>),
    Transaction(u32),
    Texts(Vec<Option<Cow<'a, str>>>),
    ManyBytes(Vec<Option<Cow<'a, [u8]>>>),
    Jsons(Vec<Cow<'a, [u8]>>),
    Numbers(Vec<i64>),
    Instants(Vec<Option<i64>>),
    ManySeconds(Vec<Option<f64>>),
}

impl<'a> Param<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(super) fn bytes(bytes: Option<&'a [u8]>) -> Self {
        Self::Bytes(bytes.map(Cow::Borrowed))
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// An array of one dimension: its header, and of each element the length and the bytes.
fn array<T>(of: &Type, elements: &[T], out: &mut BytesMut, write: impl Fn(&T, &mut BytesMut) -> bool) {
    let begin = |number: usize, out: &mut BytesMut| {
        out.extend_from_slice(&i32::try_from(number).unwrap_or(i32::MAX).to_be_bytes());
    };
    begin(usize::from(!elements.is_empty()), out);
    begin(1, out);
    out.extend_from_slice(&of.oid().to_be_bytes());
    if elements.is_empty() {
        return;
    }
    begin(elements.len(), out);
    begin(1, out);
    for element in elements {
        let at = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if write(element, out) {
            let len = i32::try_from(out.len() - at - 4).unwrap_or(i32::MAX);
            out[at..at + 4].copy_from_slice(&len.to_be_bytes());
        }
    }
}

fn put(bytes: &[u8], out: &mut BytesMut) -> bool {
    out.extend_from_slice(bytes);
    true
}

fn json(text: &[u8], out: &mut BytesMut) -> bool {
    out.extend_from_slice(&[1]);
    put(text, out)
}

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let is_there = match self {
            Self::Text(text) => put(text.as_bytes(), out),
            Self::OptionalText(text) => text.as_ref().is_some_and(|text| put(text.as_bytes(), out)),
            Self::Bytes(bytes) => bytes.as_ref().is_some_and(|bytes| put(bytes, out)),
            Self::Json(text) => json(text, out),
            Self::Number(number) => put(&number.to_be_bytes(), out),
            Self::Instant(instant) => instant.is_some_and(|instant| put(&instant.to_be_bytes(), out)),
            Self::Seconds(seconds) => seconds.is_some_and(|seconds| put(&seconds.to_be_bytes(), out)),
            Self::Transaction(number) => put(&number.to_be_bytes(), out),
            Self::Texts(texts) => {
                array(&Type::TEXT, texts, out, |text, out| text.as_ref().is_some_and(|text| put(text.as_bytes(), out)));
                true
            }
            Self::ManyBytes(many) => {
                array(&Type::BYTEA, many, out, |bytes, out| bytes.as_ref().is_some_and(|bytes| put(bytes, out)));
                true
            }
            Self::Jsons(texts) => {
                array(&Type::JSONB, texts, out, |text, out| json(text, out));
                true
            }
            Self::Numbers(numbers) => {
                array(&Type::INT8, numbers, out, |number, out| put(&number.to_be_bytes(), out));
                true
            }
            Self::Instants(instants) => {
                array(&Type::TIMESTAMPTZ, instants, out, |instant, out| {
                    instant.is_some_and(|instant| put(&instant.to_be_bytes(), out))
                });
                true
            }
            Self::ManySeconds(seconds) => {
                array(&Type::FLOAT8, seconds, out, |seconds, out| {
                    seconds.is_some_and(|seconds| put(&seconds.to_be_bytes(), out))
                });
                true
            }
        };
        Ok(if is_there { IsNull::No } else { IsNull::Yes })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, sort: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(sort, out)
    }
}

/// The type of a sort.
pub(super) fn type_of(sort: Sort) -> Type {
    match sort {
        Sort::Text => Type::TEXT,
        Sort::Texts => Type::TEXT_ARRAY,
        Sort::Bytea => Type::BYTEA,
        Sort::Byteas => Type::BYTEA_ARRAY,
        Sort::Int8 => Type::INT8,
        Sort::Int8s => Type::INT8_ARRAY,
        Sort::Float8 => Type::FLOAT8,
        Sort::Float8s => Type::FLOAT8_ARRAY,
        Sort::Timestamptz => Type::TIMESTAMPTZ,
        Sort::Timestamptzs => Type::TIMESTAMPTZ_ARRAY,
        Sort::Jsonb => Type::JSONB,
        Sort::Jsonbs => Type::JSONB_ARRAY,
        Sort::Xid => Type::XID,
    }
}

/// What is sent: a statement with its parameters.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) query: Query,
    pub(super) sql: &'a str,
    /// Which one it is among those that a connection has prepared.
    pub(super) number: usize,
    pub(super) params: Vec<Param<'a>>,
}

impl Request<'_> {
    pub(super) fn types(&self) -> Vec<Type> {
        self.query.parameters().iter().copied().map(type_of).collect()
    }

    pub(super) fn plain(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
    }

    pub(super) fn typed(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.plain().into_iter().zip(self.types()).collect()
    }

    /// Whether it gives rows; or else a number of rows that it wrote.
    pub(super) fn gives_rows(&self) -> bool {
        !matches!(
            self.query,
            Query::Put
                | Query::PutIfAbsent
                | Query::PutIfPresent
                | Query::PutIfOurs
                | Query::PutIfForeign
                | Query::PutMany
        )
    }
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<protocol::Row>,
    pub(super) written: u64,
}

/// A column's bytes.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cold]
pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the server gave an answer that the statement does not have")
}

/// The bytes of a column.
pub(super) fn column(row: &protocol::Row, at: usize) -> Result<Option<&[u8]>> {
    let raw: Option<Raw<'_>> = row.try_get(at).map_err(|_| unexpected())?;
    Ok(raw.map(|Raw(bytes)| bytes))
}

pub(super) fn text(row: &protocol::Row, at: usize) -> Result<&str> {
    column(row, at)?.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(unexpected)
}

pub(super) fn flag(row: &protocol::Row, at: usize) -> Result<bool> {
    Ok(column(row, at)? == Some(&[1]))
}

fn fixed<const N: usize>(row: &protocol::Row, at: usize) -> Result<Option<[u8; N]>> {
    column(row, at)?.map(|bytes| bytes.try_into().map_err(|_| unexpected())).transpose()
}

/// A count.
pub(super) fn count(row: &protocol::Row, at: usize) -> Result<u64> {
    let count = fixed(row, at)?.map(i64::from_be_bytes);
    count.and_then(|count| u64::try_from(count).ok()).ok_or_else(unexpected)
}

pub(super) fn float(row: &protocol::Row, at: usize) -> Result<f64> {
    fixed(row, at)?.map(f64::from_be_bytes).ok_or_else(unexpected)
}

/// The columns of a record, from this one on.
pub(super) fn record(row: &protocol::Row, first: usize) -> Result<Row<'_>> {
    let mut columns = Row::default();
    columns.expires = fixed(row, first)?.map(i64::from_be_bytes);
    columns.created = fixed(row, first + 1)?.map(i64::from_be_bytes);
    columns.revision = fixed(row, first + 2)?.map(i64::from_be_bytes);
    columns.xmin = fixed(row, first + 3)?.map(u32::from_be_bytes);
    columns.metadata = column(row, first + 4)?;
    columns.collection = column(row, first + 5)?;
    columns.key = column(row, first + 6)?;
    columns.text = column(row, first + 7)?;
    columns.bytes = column(row, first + 8)?;
    columns.value = column(row, first + 9)?;
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(param: &Param<'_>) -> Vec<u8> {
        let mut out = BytesMut::new();
        let is_null = param.to_sql(&Type::TEXT, &mut out).unwrap();
        assert_eq!(matches!(is_null, IsNull::Yes), out.is_empty() && !matches!(param, Param::Text(_)));
        out.to_vec()
    }

    #[test]
    fn parameters_have_the_server_s_binary_form() {
        assert_eq!(bytes(&Param::text("a")), b"a");
        assert_eq!(bytes(&Param::Bytes(None)), b"");
        assert_eq!(bytes(&Param::Json(Cow::Borrowed(b"{}"))), b"\x01{}");
        assert_eq!(bytes(&Param::Number(-2)), b"\xff\xff\xff\xff\xff\xff\xff\xfe");
        assert_eq!(bytes(&Param::Seconds(Some(1.5))), b"\x3f\xf8\0\0\0\0\0\0");
        assert_eq!(bytes(&Param::Texts(Vec::new())), b"\0\0\0\0\0\0\0\x01\0\0\0\x19");
        assert_eq!(
            bytes(&Param::Texts(vec![Some(Cow::Borrowed("ab")), None])),
            b"\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x02ab\xff\xff\xff\xff"
        );
    }

    #[test]
    fn no_value_shows() {
        assert!(!format!("{:?}", [Param::text("hunter2")]).contains("hunter2"));
    }
}
