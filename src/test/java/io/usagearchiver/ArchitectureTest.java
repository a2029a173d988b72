package io.usagearchiver;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.constructors;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAnnotation;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaConstructor;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.domain.JavaTypeVariable;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What design.md's layout promises of the classes in the library. */
@AnalyzeClasses(packagesOf = Archiver.class, importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String CORE = "io.usagearchiver";
    private static final String INTERNAL = CORE + ".internal";
    private static final String GENERATED = CORE + ".generated";
    private static final int MOST_LINES = 250;
    private static final int MOST_PARAMETERS = 7;

    private static final DescribedPredicate<JavaClass> FAULTS =
            resideInAPackage(CORE).and(assignableTo(ArchiveException.class));

    /** Of the core's public types, those that lead to the rooms; the others are values, which know at most PostgreSQL's. */
    private static final DescribedPredicate<JavaClass> DOORS = resideInAPackage(CORE)
            .and(DescribedPredicate.describe("lead to the rooms", ArchitectureTest::leadsToRooms));

    @ArchTest
    static final ArchRule arrows_point_inward = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("cli")
            .definedBy(CORE + ".cli..")
            .layer("codegen")
            .definedBy(CORE + ".codegen..")
            .optionalLayer("metrics")
            .definedBy(CORE + ".metrics..")
            .layer("quartz")
            .definedBy(CORE + ".quartz..")
            .layer("core")
            .definedBy(CORE, INTERNAL + "..")
            .layer("generated")
            .definedBy(GENERATED + "..")
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("codegen")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("codegen")
            .mayNotAccessAnyLayer()
            .whereLayer("metrics")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("quartz")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("generated")
            .mayOnlyBeAccessedByLayers("core")
            .whereLayer("generated")
            .mayNotAccessAnyLayer()
            .ensureAllClassesAreContainedInArchitecture();

    @ArchTest
    static final ArchRule a_room_knows_only_the_rooms_below_it = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("inspect")
            .definedBy(INTERNAL + ".inspect")
            .layer("move")
            .definedBy(INTERNAL + ".move")
            .layer("ledger")
            .definedBy(INTERNAL + ".ledger")
            .layer("schema")
            .definedBy(INTERNAL + ".schema")
            .layer("rows")
            .definedBy(INTERNAL + ".rows")
            .layer("jdbc")
            .definedBy(INTERNAL + ".jdbc")
            .layer("postgres")
            .definedBy(INTERNAL + ".postgres")
            .whereLayer("inspect")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("move")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("ledger")
            .mayOnlyBeAccessedByLayers("inspect", "move")
            .whereLayer("schema")
            .mayOnlyBeAccessedByLayers("inspect", "move", "ledger")
            .whereLayer("rows")
            .mayOnlyBeAccessedByLayers("inspect", "move", "ledger", "schema")
            .whereLayer("jdbc")
            .mayOnlyBeAccessedByLayers("inspect", "move", "ledger")
            .whereLayer("postgres")
            .mayNotAccessAnyLayer();

    @ArchTest
    static final ArchRule each_worker_has_a_room = classes()
            .that()
            .resideInAPackage(INTERNAL + "..")
            .should()
            .resideInAnyPackage(
                    INTERNAL + ".inspect",
                    INTERNAL + ".move",
                    INTERNAL + ".ledger",
                    INTERNAL + ".schema",
                    INTERNAL + ".rows",
                    INTERNAL + ".jdbc",
                    INTERNAL + ".postgres");

    /** Faults lie below all: a caller sees those of the lowest room, too. */
    @ArchTest
    static final ArchRule the_room_of_postgresql_knows_nothing_of_ours_but_faults = noClasses()
            .that()
            .resideInAPackage(INTERNAL + ".postgres")
            .should()
            .dependOnClassesThat(resideInAPackage(CORE).and(DescribedPredicate.not(FAULTS)));

    @ArchTest
    static final ArchRule rooms_do_not_know_the_doors =
            noClasses().that().resideInAPackage(INTERNAL + "..").should().dependOnClassesThat(DOORS);

    @ArchTest
    static final ArchRule only_the_doors_know_the_rooms = noClasses()
            .that(resideOutsideOfPackages(CORE, INTERNAL + ".."))
            .should()
            .dependOnClassesThat()
            .resideInAPackage(INTERNAL + "..");

    @ArchTest
    static final ArchRule no_room_is_seen_from_outside = classes()
            .that(DescribedPredicate.describe("are public API", ArchitectureTest::isApi))
            .should(new NotShowRooms());

    @ArchTest
    static final ArchRule callers_can_use_all_that_is_not_in_a_room = classes()
            .that()
            .resideInAPackage(CORE)
            .and()
            .areTopLevelClasses()
            .and()
            .doNotHaveSimpleName("package-info")
            .should()
            .bePublic();

    @ArchTest
    static final ArchRule files_form_no_cycle =
            slices().assignedFrom(new FileOfOurs()).should().beFreeOfCycles();

    /** But a record's: its components are columns, settings or figures. */
    @ArchTest
    static final ArchRule no_constructor_takes_more_than_one_can_oversee = constructors()
            .that()
            .areDeclaredInClassesThat(resideInAPackage(CORE + "..").and(resideOutsideOfPackages(GENERATED + "..")))
            .and()
            .areDeclaredInClassesThat(DescribedPredicate.describe("are no records", type -> !type.isRecord()))
            .should(new TakeFewParameters());

    @ArchTest
    static final ArchRule the_core_knows_no_scheduler = noClasses()
            .that(resideInAnyPackage(CORE, INTERNAL + ".."))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.quartz..");

    @ArchTest
    static final ArchRule only_the_command_line_knows_picocli = noClasses()
            .that()
            .resideOutsideOfPackage(CORE + ".cli..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("picocli..");

    @ArchTest
    static final ArchRule nothing_knows_timestamps_that_shift_with_the_zone_of_the_jvm =
            noClasses().should().dependOnClassesThat().belongToAnyOf(java.sql.Timestamp.class);

    @ArchTest
    static final ArchRule only_the_command_line_ends_the_jvm = noClasses()
            .that()
            .resideOutsideOfPackage(CORE + ".cli..")
            .should()
            .callMethod(System.class, "exit", int.class)
            .orShould()
            .callMethod(Runtime.class, "halt", int.class);

    @Test
    void no_file_is_longer_than_one_can_oversee() throws IOException {
        assertThat(sources("src/main/java").filter(file -> lines(file).size() > MOST_LINES))
                .as("files of more than " + MOST_LINES + " lines")
                .isEmpty();
    }

    /** Javadoc and what the compiler takes over as a constant leave no trace in a class file. */
    @Test
    void whoever_uses_the_library_imports_nothing_of_its_rooms() throws IOException {
        Stream<Path> callers = Stream.of(
                        sources("src/demo"), sources("src/bench"), sources("src/it"), sources("src/main/java"))
                .flatMap(files -> files)
                .filter(file -> !Path.of("src/main/java/io/usagearchiver").equals(file.getParent()))
                .filter(file -> !file.startsWith("src/main/java/io/usagearchiver/internal"));
        assertThat(callers.filter(file -> lines(file).stream().anyMatch(line -> line.contains(INTERNAL + "."))))
                .as("callers that name a room")
                .isEmpty();
    }

    private static Stream<Path> sources(String folder) throws IOException {
        try (Stream<Path> files = Files.walk(Path.of(folder))) {
            return files.filter(file -> file.toString().endsWith(".java")).toList().stream();
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean leadsToRooms(JavaClass type) {
        return type.getDirectDependenciesFromSelf().stream()
                .map(dependency -> dependency.getTargetClass().getPackageName())
                .anyMatch(name -> name.startsWith(INTERNAL) && !name.equals(INTERNAL + ".postgres"));
    }

    /** As the list of the public API has it. */
    private static boolean isApi(JavaClass type) {
        String name = type.getPackageName();
        return !name.startsWith(INTERNAL)
                && !name.startsWith(GENERATED)
                && !name.startsWith(CORE + ".cli")
                && isPublic(type)
                && type.getEnclosingClass().map(ArchitectureTest::isApi).orElse(true);
    }

    private static boolean isPublic(JavaClass type) {
        return type.getModifiers().contains(JavaModifier.PUBLIC);
    }

    /** The source file, of which the classes within each other may know each other; jOOQ's do so throughout. */
    private static final class FileOfOurs implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass typeOrArray) {
            JavaClass type = typeOrArray.getBaseComponentType();
            String name = type.getPackageName();
            return name.startsWith(CORE) && !name.startsWith(GENERATED)
                    ? SliceIdentifier.of(
                            name,
                            type.getSource()
                                    .flatMap(source -> source.getFileName())
                                    .orElse(type.getSimpleName()))
                    : SliceIdentifier.ignore();
        }

        @Override
        public String getDescription() {
            return "files of ours";
        }
    }

    /** A room's type in what callers see of a class binds the room to them. */
    private static final class NotShowRooms extends ArchCondition<JavaClass> {
        NotShowRooms() {
            super("not show a type of a room");
        }

        @Override
        public void check(JavaClass type, ConditionEvents events) {
            tell(
                    type.getName(),
                    Stream.concat(ofAll(supertypes(type)), ofParameters(type.getTypeParameters())),
                    events);
            tell(type.getName(), ofAnnotations(type.getAnnotations()), events);
            Stream.concat(type.getMethods().stream(), type.getConstructors().stream())
                    .filter(member -> isSeen(type, member))
                    .forEach(member -> tell(member.getFullName(), types(member), events));
            type.getFields().stream()
                    .filter(field -> isSeen(type, field))
                    .forEach(field -> tell(
                            field.getFullName(),
                            Stream.concat(
                                    field.getType().getAllInvolvedRawTypes().stream(),
                                    ofAnnotations(field.getAnnotations())),
                            events));
        }

        private static Stream<JavaType> supertypes(JavaClass type) {
            return Stream.concat(type.getSuperclass().stream(), type.getInterfaces().stream());
        }

        private static Stream<JavaClass> types(JavaCodeUnit member) {
            return Stream.of(
                            ofAll(Stream.concat(
                                    Stream.of(member.getReturnType()), member.getParameterTypes().stream())),
                            ofParameters(member.getTypeParameters()),
                            member.getThrowsClause().getTypes().stream(),
                            ofAnnotations(member.getAnnotations()),
                            member.getParameters().stream()
                                    .flatMap(parameter -> ofAnnotations(parameter.getAnnotations())))
                    .flatMap(types -> types);
        }

        private static Stream<JavaClass> ofAll(Stream<JavaType> types) {
            return types.flatMap(type -> type.getAllInvolvedRawTypes().stream());
        }

        private static Stream<JavaClass> ofParameters(List<? extends JavaTypeVariable<?>> parameters) {
            return parameters.stream()
                    .flatMap(parameter -> parameter.getUpperBounds().stream())
                    .flatMap(bound -> bound.getAllInvolvedRawTypes().stream());
        }

        private static Stream<JavaClass> ofAnnotations(Set<? extends JavaAnnotation<?>> annotations) {
            return annotations.stream().map(JavaAnnotation::getRawType);
        }

        private static boolean isSeen(JavaClass type, JavaMember member) {
            Set<JavaModifier> modifiers = member.getModifiers();
            return modifiers.contains(JavaModifier.PUBLIC)
                    || (modifiers.contains(JavaModifier.PROTECTED)
                            && !type.getModifiers().contains(JavaModifier.FINAL));
        }

        private static void tell(String where, Stream<JavaClass> types, ConditionEvents events) {
            types.filter(type -> type.getPackageName().startsWith(INTERNAL))
                    .forEach(type ->
                            events.add(SimpleConditionEvent.violated(type, where + " shows " + type.getName())));
        }
    }

    private static final class TakeFewParameters extends ArchCondition<JavaConstructor> {
        TakeFewParameters() {
            super("take at most " + MOST_PARAMETERS + " parameters");
        }

        @Override
        public void check(JavaConstructor constructor, ConditionEvents events) {
            int parameters = constructor.getRawParameterTypes().size();
            if (parameters > MOST_PARAMETERS) {
                events.add(SimpleConditionEvent.violated(
                        constructor, constructor.getFullName() + " takes " + parameters + " parameters"));
            }
        }
    }
}
