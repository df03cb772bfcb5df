#!/usr/bin/env bash
# Prepares a real OpenSearch 2.4.1 node from Debian's packages, in the folder it is run in:
#
#     cd DIR && prepare.sh        # needs apt-get, dpkg-deb and Java 17; neither root nor a JDK
#     java -cp "shim:oscore.jar:lucene9-os.jar:lib/*" RunOpenSearch HOME HTTP-PORT TRANSPORT-PORT [SETTING=VALUE...]
#
# Debian has its classes as a library, not as a server, so three gaps are closed here:
#   * it was built for Lucene 9.4 and Debian has 9.10: `OsPrep.java` puts the few changed members back;
#   * that Lucene was compiled for Java 21, of which it uses nothing: its classes are marked as Java 17;
#   * the jars carry no resources: the lists of services and of stop words are written here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Which Lucene goes with which OpenSearch is what all this depends on, so these two are pinned; the others are what
# Debian's stable release has, checked by its signatures.
opensearch=libopensearch-java_2.4.1+dfsg-2_all.deb
opensearch_sha256=20da372b957ddf6a602fbccb74b29998f27caf1ef555238a33748b55261fc7be
lucene=liblucene9-java_9.10.0+dfsg-2_all.deb
lucene_sha256=4a01e720524ab4ee6ab1b47127d6622603669d823ca32f4bbf4126b9805fcd5f

# From where this machine already takes its packages.
key=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '/^URIs:/ { print $2; exit }')
if [[ -z $mirror ]]; then
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }')
fi
[[ -n $mirror && -f $key ]] || { echo "this is not a Debian that says where its packages are" >&2; exit 1; }

# A state of apt's own: the system's sources and packages stay as they are.
mkdir -p apt/lists/partial apt/cache/archives/partial debs root lib shim/META-INF/services shim/config
for suite in bookworm trixie sid; do
    echo "deb [signed-by=$key] $mirror $suite main"
done >apt/src.list
options=(-o Dir::Etc::sourcelist="$PWD/apt/src.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache"
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root)
# Some machines clear the system's archive folder after each update; another apt may be at work in it.
echo '#clear APT::Update;' >apt/conf
options+=(-c "$PWD/apt/conf")
packages=(libasm-java libcommons-math3-java libhdrhistogram-java libhttpasyncclient-java libhttpcore-java
    libhttpclient-java libcommons-logging-java libcommons-codec-java libjackson2-core-java
    libjackson2-dataformat-cbor libjackson2-dataformat-smile libjackson2-dataformat-yaml libyaml-snake-java libjna-java
    libjoda-time-java libjoptsimple-java libjruby-joni-java libjcodings-java libjsr305-java libjts-java liblog4j2-java
    libmustache-java libnetty-java libt-digest-java libcarrotsearch-hppc-java libantlr4-runtime-java libspatial4j-java)
apt-get "${options[@]}" update -qq
(cd debs && apt-get "${options[@]}" download -qq "${packages[@]/%//bookworm}" liblucene9-java/trixie libopensearch-java/sid)
(cd debs && sha256sum --check --quiet --strict <<EOF
$opensearch_sha256  $opensearch
$lucene_sha256  $lucene
EOF
)
for deb in debs/*.deb; do dpkg-deb -x "$deb" root; done

jars=(asm asm-tree asm-util asm-commons commons-math3 hdrhistogram httpasyncclient httpcore httpcore-nio httpclient
    commons-logging commons-codec jackson-core jackson-dataformat-cbor jackson-dataformat-smile jackson-dataformat-yaml
    snakeyaml jna joda-time joptsimple joni jcodings jsr305 jts-core log4j-api log4j-core mustache-compiler t-digest hppc
    antlr4-runtime spatial4j netty-all netty-buffer netty-codec netty-codec-http netty-common netty-handler
    netty-resolver netty-transport netty-transport-native-unix-common)
for jar in "${jars[@]}"; do cp -L "root/usr/share/java/$jar.jar" lib/; done
# With the version in its name it wants a build hash from the manifest, which it does not have.
cp -L root/usr/share/java/opensearch.jar oscore.jar
# The compiler as a module: the runtime package has it, the `javac` command is in the development kit.
javac=(java -m jdk.compiler/com.sun.tools.javac.Main -nowarn)
mkdir -p tool
"${javac[@]}" -cp lib/asm.jar -d tool "$here/OsPrep.java"
java -cp tool:lib/asm.jar OsPrep root/usr/share/java/lucene9.jar lucene9-os.jar

services=shim/META-INF/services
lucene=org.apache.lucene
echo $lucene.codecs.lucene99.Lucene99Codec >$services/$lucene.codecs.Codec
printf '%s\n' $lucene.codecs.lucene99.Lucene99PostingsFormat \
    $lucene.search.suggest.document.Completion{99,90,50}PostingsFormat >$services/$lucene.codecs.PostingsFormat
echo $lucene.codecs.lucene90.Lucene90DocValuesFormat >$services/$lucene.codecs.DocValuesFormat
echo $lucene.codecs.lucene99.Lucene99HnswVectorsFormat >$services/$lucene.codecs.KnnVectorsFormat
printf '%s\n' "$lucene.search.SortField\$Provider" "$lucene.search.SortedNumericSortField\$Provider" \
    "$lucene.search.SortedSetSortField\$Provider" >$services/$lucene.index.SortFieldProvider
common=org.opensearch.common.xcontent
echo $common.XContentOpenSearchExtension >$services/$common.XContentBuilderExtension
echo $common.SuggestingErrorOnUnknown >$services/$common.ErrorOnUnknown
printf '\0' >shim/config/favicon.ico
analysis=shim/org/apache/lucene/analysis
for language in ar bg bn br ca ckb cz el et eu fa ga gl hi hy id lt lv ro th tr; do
    mkdir -p $analysis/$language
    : >$analysis/$language/stopwords.txt
done
mkdir -p $analysis/snowball
for language in danish german spanish finnish french hungarian italian dutch norwegian portuguese russian swedish; do
    : >$analysis/snowball/${language}_stop.txt
done
jars=$(printf ':%s' lib/*.jar)
"${javac[@]}" -cp "oscore.jar:lucene9-os.jar$jars" -d shim "$here"/src/*.java
rm -rf apt debs root tool
