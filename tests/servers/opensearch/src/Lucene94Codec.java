package org.apache.lucene.codecs.lucene94;
import org.apache.lucene.codecs.lucene99.Lucene99Codec;
public class Lucene94Codec extends Lucene99Codec {
  public enum Mode { BEST_SPEED(Lucene99Codec.Mode.BEST_SPEED), BEST_COMPRESSION(Lucene99Codec.Mode.BEST_COMPRESSION);
    final Lucene99Codec.Mode m; Mode(Lucene99Codec.Mode m) { this.m = m; } }
  public Lucene94Codec() { super(); }
  public Lucene94Codec(Mode mode) { super(mode.m); }
}
