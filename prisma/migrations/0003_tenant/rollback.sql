-- Loses all rows of these tables.
DROP TABLE "bill_line";
DROP TABLE "bill";
DROP TABLE "task_detail";
DROP TABLE "comment";
DROP TABLE "_LabelToTask";
DROP TABLE "label";
DROP TABLE "task";
DROP TABLE "project";
DROP TABLE "region";
