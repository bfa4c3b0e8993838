"""Kinds of kitchenware: crockery, cookware, tools and machines."""

from __future__ import annotations

from pipelines.pocket.parts import (
    Kind,
    blob,
    block,
    curve,
    kind,
    oval,
    ovals,
    pattern,
    poly,
    ring,
    rod,
    rods,
    shine,
    turned,
)

_CERAMIC = "white/blue cream/brick sky/white red/white mint/cream navy/gold yellow/white charcoal/cream"
_METAL = "silver/black steel/charcoal silver/brown steel/red grey/blue"
_HANDLED = "silver/black steel/wood silver/red steel/navy silver/green silver/walnut"
_WOODEN = "wood/walnut oak/brown pine/tan walnut/tan tan/brown"

WARE: tuple[Kind, ...] = (
    kind(
        "plate", 1.0, _CERAMIC,
        oval("body", 0, 50, 100, 100), ring("accent", 0, 50, 90, 90, 3, clip=True),
        oval("body-", 1, 51, 62, 62, clip=True, opacity=0.5), oval("body+", 0, 50, 58, 58, clip=True), shine(-14, 38, 16, 9),
        stretch=0.05,
    ),
    kind(
        "bowl", 0.75, _CERAMIC,
        turned("body", "25,50 36,49 52,43 64,32 72,20 78,20 78,0"), pattern("accent", "plain", "bands", "dots", "stripes"),
        oval("body+", 0, 25, 100, 22), oval("body-", 0, 27, 90, 15), shine(-28, 46, 9, 20), block("body-", 0, 76, 38, 5, 1),
    ),
    kind(
        "cup", 0.42, _CERAMIC,
        ring("body-", 40, 38, 34, 34, 7), turned("body", "12,40 30,39 48,34 60,24 66,14 66,0"), pattern("accent", "plain", "dots", "bands"),
        oval("body+", 0, 12, 80, 18), oval("chocolate", 0, 13, 68, 11), oval("body", 0, 72, 112, 14), shine(-22, 34, 7, 22),
    ),
    kind(
        "mug", 0.48, _CERAMIC,
        curve("body-", "34,24 60,26 62,52 34,66", 8), block("body", 0, 46, 70, 84, 5, shade="across"),
        pattern("accent", "plain", "label", "stripes", "dots", "bands"), oval("body+", 0, 6, 70, 14), oval("body-", 0, 7, 58, 8), shine(-22, 44, 6, 44),
    ),
    kind(
        "glass", 0.5, "glass/water glass/orange glass/brown glass/white",
        turned("body", "0,32 100,24", opacity=0.6), turned("accent", "34,29 94,23", clip=True, opacity=0.7),
        oval("body+", 0, 2, 64, 10, opacity=0.8), oval("accent-", 0, 34, 56, 7, opacity=0.6), turned("body+", "93,25 100,24"), shine(-18, 50, 6, 60),
    ),
    kind(
        "wine glass", 0.7, "glass/crimson glass/lemon glass/rose",
        turned("body", "0,20 18,24 32,22 42,12 47,3 47,0", opacity=0.65), turned("accent", "22,23 32,21 42,11 46,2", clip=True),
        rod("body", "0,47 0,94", 4), oval("body+", 0, 96, 44, 7), oval("body+", 0, 1, 40, 5, opacity=0.7), shine(-12, 20, 5, 24),
    ),
    kind(
        "bottle", 0.95, "forest/cream/gold green/white/red brown/cream/black glass/sky/blue olive/ivory/crimson sky/white/navy",
        turned("body", "0,6 22,6 32,9 40,16 46,17 100,17"), block("accent", 0, 70, 35, 30, 1, shade="across"), block("third", 0, 66, 20, 6, 1),
        block("third", 0, 2, 14, 10, 2, shade="across"), shine(-9, 48, 4, 30), opens=True,
    ),
    kind(
        "jar", 0.5, "crimson/silver amber/gold olive/black orange/red plum/white cream/green",
        turned("glass", "14,32 20,40 28,43 92,43 100,38"), turned("body", "26,38 90,39 95,34", clip=True), block("white", 0, 62, 62, 26, 3, clip=True),
        block("body-", 0, 62, 40, 5, 1, clip=True), block("accent", 0, 8, 74, 18, 3, shade="across"), *rods("accent-", "-20,3 -20,14;0,3 0,14;20,3 20,14", 2), shine(-31, 60, 6, 50),
        opens=True,
    ),
    kind(
        "pot", 1.1, _METAL + " red/black navy/black",
        rod("accent", "-62,38 62,38", 9), block("body", 0, 58, 100, 56, 9, shade="across"), pattern("body-", "plain", "plain", "bands"), shine(-30, 58, 9, 40),
        oval("body+", 0, 29, 104, 20), oval("body", 0, 26, 92, 14), oval("accent", 0, 15, 16, 12), opens=True,
    ),
    kind(
        "saucepan", 1.2, _METAL,
        rod("accent", "44,32 112,26", 9), block("body", 0, 46, 88, 50, 7, shade="across"), oval("body+", 0, 21, 90, 15), oval("body-", 0, 22, 78, 10),
        oval("black", 106, 26, 4, 4, clip=True), shine(-26, 48, 8, 34), stretch=0.14,
    ),
    kind(
        "frying pan", 1.4, "charcoal/black black/wood grey/black charcoal/red steel/brown slate/black",
        rod("accent", "0,-44 0,-88", 12), rod("steel", "0,-40 0,-50", 8), oval("body", 0, 0, 92, 92), oval("body-", 0, 0, 78, 78, shade="down"),
        oval("body", 1, 2, 72, 72), oval("black", 0, -86, 5, 5), shine(-16, -18, 24, 12), stretch=0.06,
    ),
    kind(
        "wok", 1.4, "charcoal/wood black/wood slate/walnut steel/black",
        rod("accent", "46,12 96,-6", 9), ring("accent", -56, 10, 16, 12, 5), turned("body", "10,54 24,50 38,40 50,24 56,8 56,0"),
        oval("body+", 0, 10, 108, 24), oval("body-", 0, 12, 96, 16), shine(-26, 32, 12, 14), stretch=0.12,
    ),
    kind(
        "kettle", 0.8, "silver/black red/black white/grey steel/wood black/steel mint/wood",
        curve("accent", "-26,30 -24,2 24,2 26,30", 8), poly("body-", "24,52 54,28 62,34 34,78"), turned("body", "28,18 36,30 56,40 80,45 92,44 92,0"),
        oval("accent", 0, 26, 12, 11), block("body-", 0, 94, 88, 6, 2), shine(-20, 58, 9, 30), opens=True,
    ),
    kind(
        "teapot", 0.75, _CERAMIC,
        ring("body-", -46, 58, 36, 44, 8), poly("body-", "30,76 52,50 60,34 70,36 60,66 40,90"), oval("body", 0, 62, 88, 70), pattern("accent", "plain", "dots", "bands"),
        oval("body+", 0, 32, 46, 15), oval("accent", 0, 22, 13, 13), shine(-18, 52, 12, 22), opens=True,
    ),
    kind(
        "jug", 0.75, _CERAMIC + " glass/blue",
        curve("body-", "22,22 54,20 50,60 24,72", 8), poly("body", "-30,0 26,6 20,26 32,52 32,84 24,98 -24,98 -32,84 -32,52 -20,26"), pattern("accent", "plain", "bands", "stripes", "dots"),
        poly("body-", "-24,3 22,8 18,12 -16,11"), shine(-19, 66, 6, 36),
    ),
    kind(
        "spoon", 0.8, "silver/gold steel/silver silver/grey gold/gold",
        rod("body", "0,36 0,98", 6), turned("body", "30,3 92,4 100,6 104,0"), oval("body", 0, 17, 28, 40), oval("body-", 1, 18, 19, 29), shine(-3, 13, 6, 14), stretch=0.12,
    ),
    kind(
        "wooden spoon", 1.1, _WOODEN,
        rod("body", "0,26 0,117", 7), oval("body", 0, 15, 26, 36), pattern("body-", "grain", "plain"), oval("body-", 0, 14, 17, 25),
        rod("accent", "0,104 0,117", 7), oval("white", 0, 117, 3, 3), stretch=0.1,
    ),
    kind(
        "fork", 0.8, "silver/gold steel/silver silver/grey gold/gold",
        *rods("body", "-9,2 -9,30;-3,1 -3,30;3,1 3,30;9,2 9,30", 3.4), blob("body", "-11,24 11,24 10,38 3,46 -3,46 -10,38"), turned("body", "44,3 92,5 100,5 103,0"), stretch=0.12,
    ),
    kind(
        "knife", 0.95, _HANDLED,
        poly("body", "-7,62 -7,14 -3,4 4,0 7,62", shade="across"), poly("white", "-7,60 -7,14 -3,5 -4,60", clip=True, opacity=0.5),
        block("accent", 0, 82, 14, 40, 5, shade="across"), *ovals("silver", "0,70 0,82 0,94", 4, 4), block("body-", 0, 62, 17, 4, 1), stretch=0.12,
    ),
    kind(
        "cleaver", 1.0, _HANDLED,
        block("body", -4, 30, 44, 60, 2, shade="across"), poly("white", "-26,2 -22,2 -22,58 -26,58", opacity=0.6, clip=True), oval("black", 10, 8, 6, 6),
        block("accent", 10, 80, 15, 42, 5, shade="across"), *ovals("silver", "10,70 10,82 10,94", 4, 4), stretch=0.14,
    ),
    kind(
        "spatula", 1.1, "black/wood steel/black charcoal/silver red/steel silver/wood",
        rod("accent", "0,36 0,112", 7), block("body", 0, 19, 34, 38, 4), *rods("slate", "-9,9 -9,28;0,9 0,28;9,9 9,28", 3.5), poly("body", "-16,34 16,34 4,46 -4,46"), stretch=0.14,
    ),
    kind(
        "whisk", 0.95, "silver/black steel/wood silver/red steel/mint",
        ring("body", 0, 26, 38, 52, 2.6), ring("body-", 0, 26, 24, 52, 2.6), ring("body", 0, 26, 9, 52, 2.6), poly("body-", "-8,50 8,50 4,60 -4,60"),
        block("accent", 0, 84, 11, 50, 5, shade="across"), ring("body", 0, 112, 7, 8, 2), stretch=0.14,
    ),
    kind(
        "ladle", 1.1, "silver/black steel/silver black/steel steel/wood",
        curve("accent", "10,-4 18,2 18,12", 5), rod("body", "18,8 18,86", 6), turned("body", "86,26 94,26 106,22 114,12 117,0"),
        oval("body+", 0, 86, 52, 12), oval("body-", 0, 87, 44, 8), shine(-10, 100, 8, 10), stretch=0.14,
    ),
    kind(
        "tongs", 1.0, "silver/black steel/red silver/teal",
        poly("body", "-3,6 -7,8 -21,92 -14,94"), poly("body-", "3,6 7,8 21,92 14,94"), poly("accent", "-6,26 -12,26 -17,66 -11,66"), poly("accent", "6,26 12,26 17,66 11,66"),
        ring("body", 0, 5, 16, 12, 4), blob("body", "-22,88 -12,90 -8,100 -12,114 -20,116 -26,102"), blob("body-", "22,88 12,90 8,100 12,114 20,116 26,102"),
    ),
    kind(
        "cutting board", 1.4, _WOODEN + " white/green mint/white",
        block("body", 0, 60, 74, 100, 7), pattern("body-", "grain", "grain", "plain", "stripes"), block("body", 0, 4, 26, 30, 9), oval("charcoal", 0, 0, 10, 10),
        block("body-", 0, 60, 64, 90, 5, clip=True, opacity=0.3),
    ),
    kind(
        "grater", 0.8, "silver/black steel/red silver/green steel/charcoal",
        curve("accent", "-18,16 -16,-6 16,-6 18,16", 8), poly("body", "-24,12 24,12 36,100 -36,100", shade="across"),
        *ovals("charcoal", "-12,28 0,28 12,28 -16,42 -5,42 6,42 17,42 -18,56 -6,56 6,56 18,56 -21,70 -7,70 7,70 21,70 -23,84 -8,84 8,84 23,84", 6, 6),
        block("accent", 0, 98, 76, 7, 2),
    ),
    kind(
        "peeler", 0.5, "black/silver red/steel green/silver white/steel orange/silver",
        curve("accent", "-20,26 -22,4 22,4 20,26", 5), rod("accent+", "-20,5 20,5", 8), rod("black", "-13,5 13,5", 2), poly("body", "-22,22 22,22 8,44 -8,44"), block("body", 0, 70, 18, 62, 8, shade="across"),
        oval("white", 0, 94, 6, 6),
    ),
    kind(
        "scissors", 0.75, "red/silver black/steel blue/silver orange/steel green/silver",
        poly("accent", "-3,60 12,58 -16,0 -19,4"), poly("accent+", "3,60 -12,58 16,0 19,4"), rod("body", "-4,58 12,74", 7), rod("body", "4,58 -12,74", 7),
        ring("body", 17, 84, 24, 32, 7), ring("body", -17, 84, 24, 32, 7), oval("charcoal", 0, 54, 6, 6),
    ),
    kind(
        "tray", 1.5, _WOODEN + " black/gold red/white silver/grey",
        block("body", 0, 30, 120, 70, 12), pattern("accent", "plain", "grain"), block("body-", 0, 30, 104, 56, 8), block("body", 0, 31, 100, 52, 7), block("charcoal", -54, 30, 5, 22, 2), block("charcoal", 54, 30, 5, 22, 2), stretch=0.14,
    ),
    kind(
        "can", 0.45, "red/white/silver blue/white/steel green/cream/silver orange/white/steel yellow/red/silver",
        block("third", 0, 50, 68, 100, 6, shade="across"), block("body", 0, 52, 68, 78, 0.5, shade="across"), oval("accent", 0, 54, 40, 34, clip=True), block("body-", 0, 54, 26, 6, 1, clip=True),
        oval("third+", 0, 6, 68, 14), oval("third-", 0, 6, 58, 9), ring("third+", 4, 6, 14, 5, 2), stretch=0.14, opens=True,
    ),
    kind(
        "funnel", 0.5, "silver/steel red/red blue/blue green/green white/white orange/orange",
        turned("body", "8,46 18,44 56,9 62,8 98,5", shade="across"), oval("body+", 0, 9, 92, 20), oval("body-", 0, 11, 80, 13), oval("black", 0, 14, 18, 5), shine(-20, 28, 6, 16),
    ),
    kind(
        "strainer", 1.0, "silver/black steel/red silver/wood silver/blue",
        rod("accent", "40,10 100,2", 7), turned("body-", "10,44 24,42 40,32 50,16 53,0"), *rods("body+", "-36,10 -24,40;-24,10 -14,46;-12,10 -6,50;0,10 0,50;12,10 6,50;24,10 14,46;36,10 24,40;-44,20 44,20;-40,30 40,30;-32,40 32,40", 1.8, clip=True), ring("silver", 0, 10, 88, 14, 5), oval("silver-", 0, 10, 80, 10), rod("silver", "-52,9 -42,10", 5),
    ),
    kind(
        "colander", 0.95, "silver/silver red/red mint/mint white/white blue/blue yellow/yellow",
        ring("body", -54, 24, 18, 14, 5), ring("body", 54, 24, 18, 14, 5), turned("body", "20,52 34,50 54,42 68,28 74,18 80,22 80,0"), *ovals("charcoal", "-34,42 -17,44 0,45 17,44 34,42 -25,54 -9,56 9,56 25,54 -14,66 0,67 14,66", 6, 6, clip=True),
        oval("body+", 0, 20, 106, 20), oval("body-", 0, 22, 94, 13),
    ),
    kind(
        "rolling pin", 1.3, _WOODEN,
        rod("accent", "-82,0 82,0", 10), *ovals("accent-", "-84,0 84,0", 14, 13), block("body", 0, 0, 112, 28, 8), pattern("body-", "grain", "plain"), stretch=0.14, mirrored=False,
    ),
    kind(
        "mortar", 0.6, "white/white grey/grey wood/walnut slate/slate green/cream",
        rod("accent", "8,34 40,-14", 11), oval("accent", 39, -12, 16, 18), turned("body", "26,46 36,42 56,38 72,24 80,16 88,30 94,32 94,0"), pattern("body-", "speckle", "grain"), oval("body+", 0, 27, 92, 20), oval("body-", 0, 28, 74, 12),
        rod("accent", "8,30 24,6", 11),
    ),
    kind(
        "bottle opener", 0.4, "silver/black steel/red silver/wood steel/blue gold/black",
        block("accent", 0, 74, 18, 60, 8, shade="across"), rod("body", "0,36 0,46", 10), ring("body", 0, 20, 34, 34, 8), rod("body", "-8,14 8,14", 6), oval("white", 0, 96, 6, 6),
    ),
    kind(
        "corkscrew", 0.45, "wood/silver black/steel red/silver walnut/gold",
        rod("accent", "0,4 0,44", 6), curve("accent", "0,44 10,50 -10,56 10,63 -10,70 10,77 -8,84 4,90 0,99", 4.5), rod("body", "-30,4 30,4", 15), oval("accent-", 0, 4, 9, 15),
    ),
    kind(
        "lid", 0.9, _METAL + " glass/silver red/black",
        turned("body", "16,8 22,26 32,44 42,50 46,50"), shine(-22, 30, 14, 8), block("body-", 0, 47, 108, 8, 3), block("accent-", 0, 13, 9, 12, 1), oval("accent", 0, 6, 24, 14),
    ),
    kind(
        "chopsticks", 0.85, "wood/red black/gold red/gold walnut/tan",
        poly("body", "-14,100 -7,100 -2,0 -5,0"), poly("body", "8,100 15,100 6,0 3,0"), poly("accent", "-14,100 -7,100 -6,78 -12,78"), poly("accent", "8,100 15,100 13,78 8,78"),
    ),
    kind(
        "pizza cutter", 0.7, "black/silver red/steel wood/silver green/silver",
        oval("accent", 0, 26, 54, 54), oval("accent+", 0, 26, 40, 40), rod("slate", "0,26 0,58", 8), oval("charcoal", 0, 26, 11, 11), block("body", 0, 84, 17, 54, 7, shade="across"), stretch=0.12,
    ),
    kind(
        "measuring cup", 0.6, "glass/red glass/blue glass/charcoal",
        curve("body-", "34,18 62,20 60,60 34,70", 8), poly("body", "-44,0 38,4 32,84 -32,84", opacity=0.8, shade="across"), *rods("accent", "-16,22 4,22;-16,36 -4,36;-16,50 4,50;-16,64 -4,64", 3), rod("accent", "12,22 12,64", 3),
        oval("body+", 0, 4, 78, 9),
    ),
    kind(
        "salt shaker", 0.35, "white/silver glass/steel blue/silver red/silver cream/gold",
        turned("body", "30,24 96,36 100,34"), pattern("body-", "plain", "stripes"), block("white", 0, 68, 24, 20, 3, clip=True), turned("accent", "2,0 2,12 6,19 14,24 32,25", shade="round"),
        *ovals("black", "-8,12 0,9 8,12 -4,18 4,18", 4, 4),
    ),
    kind(
        "pepper mill", 0.65, "walnut/silver wood/silver black/steel oak/gold red/silver",
        turned("body", "24,14 34,9 48,8 62,13 84,18 98,19 100,18"), pattern("body-", "grain", "plain"), block("accent", 0, 25, 30, 4, 1), oval("body", 0, 13, 27, 22), oval("accent", 0, 1, 8, 8), block("body-", 0, 97, 40, 7, 2), stretch=0.12,
    ),
    kind(
        "muffin tin", 1.2, "charcoal/black silver/slate copper/brown steel/charcoal",
        block("body", 0, 30, 108, 76, 6), *ovals("body+", "-34,12 0,12 34,12 -34,48 0,48 34,48", 30, 30), *ovals("accent", "-34,13 0,13 34,13 -34,49 0,49 34,49", 23, 23), stretch=0.1,
    ),
    kind(
        "fridge", 1.6, "white/grey silver/charcoal red/silver mint/silver black/steel",
        block("charcoal", 0, 100, 46, 4, 1), block("body", 0, 50, 58, 98, 5, shade="across"), rod("body-", "-29,34 29,34", 2.5), rod("accent", "-21,16 -21,28", 4), rod("accent", "-21,42 -21,64", 4), shine(16, 64, 5, 40), stretch=0.12, opens=True,
    ),
    kind(
        "microwave", 1.4, "white/grey silver/charcoal black/slate red/charcoal",
        block("body", 0, 30, 110, 64, 4), block("black", -14, 30, 70, 48, 3), block("slate", -14, 30, 56, 34, 8), rod("accent", "26,12 26,48", 4), block("black", 41, 12, 18, 8, 1), block("lime", 41, 12, 11, 4, 1),
        *ovals("accent", "36,24 46,24 36,33 46,33 36,42 46,42 36,51 46,51", 6, 5), stretch=0.12, opens=True, mirrored=False,
    ),
    kind(
        "oven", 1.6, "white/grey silver/charcoal black/steel cream/charcoal",
        block("body", 0, 50, 90, 100, 4), block("body-", 0, 13, 86, 20, 2), *ovals("accent", "-34,13 -20,13 20,13 34,13", 10, 10), block("black", 0, 13, 18, 9, 1), rod("accent", "-34,31 34,31", 5), block("black", 0, 64, 70, 48, 4),
        block("amber-", 0, 64, 58, 36, 3), *rods("silver", "-28,60 28,60;-28,72 28,72", 2), stretch=0.1, opens=True,
    ),
    kind(
        "toaster", 0.8, "silver/black red/silver cream/silver mint/silver black/steel",
        block("toast", -14, 8, 26, 22, 5), block("toast", 18, 8, 26, 22, 5), block("body", 0, 46, 92, 64, 13, shade="across"), rod("charcoal", "-34,19 34,19", 5), rod("charcoal", "49,34 49,56", 3), block("accent", 50, 38, 11, 8, 2), oval("accent", 30, 62, 12, 12), block("accent", 0, 77, 80, 5, 2), shine(-28, 42, 9, 26),
    ),
    kind(
        "blender", 0.95, "black/glass/coral silver/glass/lime red/glass/plum white/glass/orange",
        block("body", 0, 2, 32, 10, 3), turned("accent", "7,26 60,17 64,17", opacity=0.75), turned("third", "26,23 60,16 63,16", clip=True), curve("body", "24,14 42,16 38,46 20,50", 6), turned("body", "63,19 70,22 98,29 100,28"), oval("silver", 0, 84, 13, 13), shine(-14, 30, 5, 34), opens=True,
    ),
    kind(
        "mixer", 1.1, "red/silver white/silver mint/steel black/silver cream/silver yellow/silver",
        block("body", 0, 94, 96, 12, 5), poly("body", "22,92 44,92 40,40 24,40"), blob("body", "-46,14 -30,4 20,2 46,14 46,34 30,42 -20,38 -44,30"), rod("accent", "-20,38 -20,58", 5), turned("accent", "54,0 54,28 68,27 84,16 88,12 88,0"), oval("accent-", 0, 54, 54, 6), oval("black", 30, 22, 9, 9), shine(-10, 12, 34, 6), stretch=0.14,
    ),
    kind(
        "coffee maker", 0.95, "black/silver charcoal/red silver/black white/grey",
        block("body", 0, 95, 74, 10, 3), block("body", 26, 50, 24, 90, 3, shade="across"), block("body", 0, 13, 74, 26, 5), ring("body+", -32, 66, 18, 24, 5), turned("glass", "46,14 54,23 82,26 90,22"), turned("chocolate", "66,30 90,30", clip=True), poly("body-", "-14,26 10,26 4,36 -8,36"), oval("accent", 22, 13, 8, 8), oval("red", 30, 92, 5, 5), mirrored=False, stretch=0.12,
    ),
    kind(
        "scale", 0.8, "white/silver black/steel silver/silver red/white mint/silver",
        turned("body", "34,26 44,38 88,46 94,46", shade="down"), block("body-", 0, 94, 92, 7, 2), oval("white", 0, 66, 42, 42), ring("charcoal", 0, 66, 34, 34, 1.6), rod("red", "0,66 10,54", 3), oval("black", 0, 66, 6, 6), block("accent", 0, 29, 16, 10, 1), turned("accent", "12,54 18,48 24,30 24,0"), oval("accent+", 0, 13, 108, 10),
    ),
)
