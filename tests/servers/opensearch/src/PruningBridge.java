package org.apache.lucene.search;
public class PruningBridge {
  public static Pruning of(boolean skip) { return skip ? Pruning.GREATER_THAN_OR_EQUAL_TO : Pruning.NONE; }
  public static boolean to(Pruning p) { return p != Pruning.NONE; }
}
