package org.apache.lucene.sandbox.search;
import org.apache.lucene.search.Query;
public class IndexSortSortedNumericDocValuesRangeQuery extends org.apache.lucene.search.IndexSortSortedNumericDocValuesRangeQuery {
  public IndexSortSortedNumericDocValuesRangeQuery(String f, long lo, long hi, Query q) { super(f, lo, hi, q); }
}
