/**
 * 512 words that are told apart on a telephone, also by those whose language is another: for what two people compare, and for the names
 * of rooms. Each stands for 9 bits; the order is part of what two clients agree on.
 */
export const WORDS = `
acorn agent album alley amber anchor angel ankle apple apron arrow artist aspen atlas autumn badge bagel baker bamboo banjo barley barn basil
basin basket beach beacon beard beaver bench berry blanket blossom board bonnet border bottle branch bread breeze brick bridge broom brush bucket
buffalo bugle bundle bunny burrow butter button cabin cable cactus camel camera canal candle canoe canyon cargo carpet carrot castle cattle cavern
cedar chalk cheese cherry chess chicken chimney cider cinema circle circus citrus clay cliff clock cloud clover coast cobalt coconut coffee collar
colony comet compass concert copper coral corner cotton cousin cradle crane crater crayon cricket crown crystal cup curtain cushion dairy daisy
dancer delta desert diamond diary dinner doctor dolphin donkey dragon drawer dream drum duck dune dusk eagle earth easel echo eclipse elbow
elephant elm ember engine envelope evening fabric falcon farmer feather fence ferry fiddle field finger finch fish flag flame flannel flute forest
fossil fountain fox frost fruit funnel galaxy gallery garage garden garlic gate gazelle geyser ginger giraffe glacier glass globe glove goat gold
goose gorge grain granite grape grass gravel guitar gull hammer hamster harbor harp harvest hat hawk hazel heart hedge helmet heron hill hinge
honey hook horizon horn horse hotel hut ice igloo ink insect iris iron island ivory ivy jacket jaguar jam jar jasmine jelly jewel jockey journal
juice jungle juniper kayak kennel kettle key king kitchen kite kitten knot koala label lace ladder lagoon lake lamp lantern laser lava lawn leaf
leather lemon lens letter lettuce lever lily lime linen lion lizard lobster lock locket lotus lunar lynx magnet mango maple marble market meadow
melody melon metal meteor mill mineral mirror mitten moat monkey moon morning moss motor mountain mouse muffin mule museum music mustard napkin
navy needle nest nickel noodle north notebook novel nugget nut oak oasis ocean octopus olive onion opera orange orchard orchid organ otter oven
owl oyster palace palm panda panther paper parade parcel parrot pasta peach peacock peanut pearl pebble pelican pencil penguin pepper piano picnic
pigeon pillow pilot pine pirate planet plaza plum pocket poem pond pony poplar poppy potato powder prairie prince prism puddle pumpkin puppet
puzzle pyramid quarry quartz queen quilt rabbit radar radio radish raft rain raven razor reef ribbon rice ring river robin rocket root rope rose
ruby rug saddle saffron salad salmon salt sand sandal satin scarf school scooter scout sculptor season seed shadow shark sheep shell shepherd
shield ship shore shovel silk silver singer sketch sled slope snail snow soap sock sofa soup south spark sparrow spice spider spinach spiral
sponge spoon spring square squash stable stadium star statue steam stone stork storm stove straw street studio sugar summer sunset surf swan syrup
table tailor target teacher tennis thistle thunder tiger timber tin toast tomato torch towel tower tractor train treasure triangle trumpet tulip
tunnel turkey turtle twig umbrella uncle valley vanilla vase vault velvet vessel viking village vine violet violin voyage waffle wagon walnut
walrus water wheat wheel whistle willow window winter wizard wolf wonder wool wren yacht yard yogurt zebra zipper
`.trim().split(/\s+/);

/** @param {Uint8Array} bytes two for each word @param {number} count @returns {string[]} */
export function wordsOf(bytes, count) {
  return Array.from({ length: count }, (_, index) => {
    const bits = ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0);
    return WORDS[bits % WORDS.length] ?? '';
  });
}
