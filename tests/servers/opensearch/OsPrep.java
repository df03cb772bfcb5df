// java -cp /usr/share/java/asm.jar OsPrep.java lucene9.jar out.jar
// Lets OpenSearch 2.4.1 (built for Lucene 9.4) link with Lucene 9.10, and Lucene 9.10 load on Java 17.
import java.io.*; import java.util.*; import java.util.zip.*;
import org.objectweb.asm.*;
import static org.objectweb.asm.Opcodes.*;
public class OsPrep {
  static final String LU="org/apache/lucene/", PR="L"+LU+"search/Pruning;", FC=")L"+LU+"search/FieldComparator;", BR=LU+"search/PruningBridge", V="(IL"+LU+"index/StoredFieldVisitor;)V";
  interface Add { void to(ClassVisitor cv, String me); }
  static final Map<String,Add> ADD=new HashMap<>(); static final Map<String,Set<String>> DROP=new HashMap<>();
  static MethodVisitor m(ClassVisitor cv,int acc,String n,String d){ MethodVisitor v=cv.visitMethod(acc,n,d,null,null); v.visitCode(); return v; }
  static void args(MethodVisitor v,String d,int first,int count){ int s=first; Type[] t=Type.getArgumentTypes(d); for(int i=0;i<count;i++){ v.visitVarInsn(t[i].getOpcode(ILOAD),s); s+=t[i].getSize(); } }
  static void end(MethodVisitor v,int op){ v.visitInsn(op); v.visitMaxs(0,0); v.visitEnd(); }
  static void ctorFalse(String c,String d){ ADD.put(c,(cv,me)->{ MethodVisitor v=m(cv,ACC_PUBLIC,"<init>",d); v.visitVarInsn(ALOAD,0); args(v,d,1,Type.getArgumentTypes(d).length); v.visitInsn(ICONST_0); v.visitMethodInsn(INVOKESPECIAL,me,"<init>",d.replace(")V","Z)V"),false); end(v,RETURN); }); }
  static void ctorPruning(String c,String d){ ADD.put(c,(cv,me)->{ MethodVisitor v=m(cv,ACC_PUBLIC,"<init>",d); v.visitVarInsn(ALOAD,0); args(v,d,1,Type.getArgumentTypes(d).length); v.visitMethodInsn(INVOKESTATIC,BR,"of","(Z)"+PR,false); v.visitMethodInsn(INVOKESPECIAL,me,"<init>",d.replace("Z)V",PR+")V"),false); end(v,RETURN); }); }
  static void call(ClassVisitor cv,int acc,String n,String d,int op,String own,String n2,String d2,int ret){ MethodVisitor v=m(cv,acc,n,d); boolean st=(acc&ACC_STATIC)!=0; if(!st)v.visitVarInsn(ALOAD,0); args(v,d,st?0:1,Type.getArgumentTypes(d).length); v.visitMethodInsn(op,own,n2,d2,false); end(v,ret); }
  static { String S="Ljava/lang/String;";
    ctorFalse(LU+"index/FieldInfo","("+S+"IZZZL"+LU+"index/IndexOptions;L"+LU+"index/DocValuesType;JLjava/util/Map;IIIIL"+LU+"index/VectorEncoding;L"+LU+"index/VectorSimilarityFunction;Z)V");
    ctorFalse(LU+"index/LeafMetaData","(IL"+LU+"util/Version;L"+LU+"search/Sort;)V");
    for(String t:new String[]{"Long","Double","Float","Integer"}) ctorPruning(LU+"search/comparators/"+(t.equals("Integer")?"Int":t)+"Comparator","(I"+S+"Ljava/lang/"+t+";ZZ)V");
    ctorPruning(LU+"search/comparators/TermOrdValComparator","(I"+S+"ZZZ)V");
    ADD.put(LU+"search/SortField",(cv,me)->{ MethodVisitor v=m(cv,ACC_PUBLIC,"getComparator","(IZ"+FC); v.visitVarInsn(ALOAD,0); v.visitVarInsn(ILOAD,1); v.visitVarInsn(ILOAD,2); v.visitMethodInsn(INVOKESTATIC,BR,"of","(Z)"+PR,false); v.visitMethodInsn(INVOKEVIRTUAL,me,"getComparator","(I"+PR+FC,false); end(v,ARETURN); });
    String oldN="("+S+"IZZ"+FC,newN="("+S+"I"+PR+"Z"+FC; DROP.put(LU+"search/FieldComparatorSource",Set.of("newComparator"+newN));
    ADD.put(LU+"search/FieldComparatorSource",(cv,me)->{
      MethodVisitor v=m(cv,ACC_PUBLIC,"newComparator",newN); v.visitVarInsn(ALOAD,0); v.visitVarInsn(ALOAD,1); v.visitVarInsn(ILOAD,2); v.visitVarInsn(ALOAD,3); v.visitMethodInsn(INVOKESTATIC,BR,"to","("+PR+")Z",false); v.visitVarInsn(ILOAD,4); v.visitMethodInsn(INVOKEVIRTUAL,me,"newComparator",oldN,false); end(v,ARETURN);
      v=m(cv,ACC_PUBLIC,"newComparator",oldN); v.visitVarInsn(ALOAD,0); v.visitVarInsn(ALOAD,1); v.visitVarInsn(ILOAD,2); v.visitVarInsn(ILOAD,3); v.visitMethodInsn(INVOKESTATIC,BR,"of","(Z)"+PR,false); v.visitVarInsn(ILOAD,4); v.visitMethodInsn(INVOKEVIRTUAL,me,"newComparator",newN,false); end(v,ARETURN); });
    ADD.put(LU+"codecs/StoredFieldsReader",(cv,me)->{ call(cv,ACC_PUBLIC,"visitDocument",V,INVOKEVIRTUAL,me,"document",V,RETURN); call(cv,ACC_PUBLIC,"document",V,INVOKEVIRTUAL,me,"visitDocument",V,RETURN); });
    DROP.put(LU+"index/IndexableField",Set.of("storedValue()L"+LU+"document/StoredValue;","invertableType()L"+LU+"document/InvertableType;"));
    ADD.put(LU+"index/IndexableField",(cv,me)->{ MethodVisitor v=m(cv,ACC_PUBLIC,"storedValue","()L"+LU+"document/StoredValue;"); v.visitInsn(ACONST_NULL); end(v,ARETURN); v=m(cv,ACC_PUBLIC,"invertableType","()L"+LU+"document/InvertableType;"); v.visitFieldInsn(GETSTATIC,LU+"document/InvertableType","BINARY","L"+LU+"document/InvertableType;"); end(v,ARETURN); });
    ADD.put(LU+"util/automaton/Automata",(cv,me)->call(cv,ACC_PUBLIC|ACC_STATIC,"makeStringUnion","(Ljava/util/Collection;)L"+LU+"util/automaton/Automaton;",INVOKESTATIC,me,"makeStringUnion","(Ljava/lang/Iterable;)L"+LU+"util/automaton/Automaton;",ARETURN));
  }
  static byte[] fix(byte[] d){
    if(((d[6]&255)<<8|(d[7]&255))>61){ d[6]=0; d[7]=61; }
    ClassReader r=new ClassReader(d); ClassWriter w=new ClassWriter(r,ClassWriter.COMPUTE_MAXS);
    r.accept(new ClassVisitor(ASM9,w){ String me; 
      public void visit(int v,int a,String n,String s,String sup,String[] i){ me=n; super.visit(v,a,n,s,sup,i); }
      public MethodVisitor visitMethod(int a,String n,String ds,String s,String[] e){
        if(DROP.getOrDefault(me,Set.of()).contains(n+ds)) return null;
        if((a&(ACC_PRIVATE|ACC_STATIC))==0) a&=~ACC_FINAL;   // Lucene$3 and TranslogLeafReader override methods that are final now
        return super.visitMethod(a,n,ds,s,e); }
      public void visitEnd(){ Add x=ADD.get(me); if(x!=null) x.to(cv,me); super.visitEnd(); } },0);
    return w.toByteArray(); }
  public static void main(String[] a) throws Exception {
    try(ZipFile z=new ZipFile(a[0]); ZipOutputStream o=new ZipOutputStream(new BufferedOutputStream(new FileOutputStream(a[1])))){ o.setLevel(1);
      for(var e:Collections.list(z.entries())){ if(e.isDirectory()||e.getName().startsWith("META-INF/")) continue; byte[] d=z.getInputStream(e).readAllBytes(); if(e.getName().endsWith(".class")) d=fix(d); o.putNextEntry(new ZipEntry(e.getName())); o.write(d); } } }
}
