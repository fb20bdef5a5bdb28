-- Tables of tenants, for the tests of tenancy

CREATE TABLE "region" (
  "code" VARCHAR(8) PRIMARY KEY,
  "name" TEXT NOT NULL
);

CREATE TABLE "project" (
  "id" SERIAL PRIMARY KEY,
  "tenant_id" TEXT NOT NULL,
  "code" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "budget" INTEGER NOT NULL DEFAULT 0,
  "region_code" VARCHAR(8),
  CONSTRAINT "project_region_code_fkey" FOREIGN KEY ("region_code") REFERENCES "region" ("code") ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "project_tenant_id_code_key" ON "project" ("tenant_id", "code");

CREATE TABLE "task" (
  "id" SERIAL PRIMARY KEY,
  "tenant_id" TEXT NOT NULL,
  "title" TEXT NOT NULL,
  "points" INTEGER NOT NULL DEFAULT 0,
  "project_id" INTEGER,
  "parent_id" INTEGER,
  CONSTRAINT "task_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "project" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT "task_parent_id_fkey" FOREIGN KEY ("parent_id") REFERENCES "task" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX "task_tenant_id_id_idx" ON "task" ("tenant_id", "id");

CREATE TABLE "label" (
  "id" UUID PRIMARY KEY,
  "tenant_id" TEXT NOT NULL,
  "name" TEXT NOT NULL
);
CREATE UNIQUE INDEX "label_tenant_id_name_key" ON "label" ("tenant_id", "name");

CREATE TABLE "_LabelToTask" (
  "A" UUID NOT NULL,
  "B" INTEGER NOT NULL,
  CONSTRAINT "_LabelToTask_AB_pkey" PRIMARY KEY ("A", "B"),
  CONSTRAINT "_LabelToTask_A_fkey" FOREIGN KEY ("A") REFERENCES "label" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "_LabelToTask_B_fkey" FOREIGN KEY ("B") REFERENCES "task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "_LabelToTask_B_index" ON "_LabelToTask" ("B");

CREATE TABLE "comment" (
  "id" SERIAL PRIMARY KEY,
  "tenant_id" TEXT NOT NULL,
  "body" TEXT NOT NULL,
  "task_id" INTEGER NOT NULL,
  CONSTRAINT "comment_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "task_detail" (
  "task_id" INTEGER PRIMARY KEY,
  "tenant_id" TEXT NOT NULL,
  "text" TEXT NOT NULL,
  CONSTRAINT "task_detail_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "bill" (
  "tenant_id" TEXT NOT NULL,
  "number" INTEGER NOT NULL,
  "memo" TEXT NOT NULL DEFAULT '',
  CONSTRAINT "bill_pkey" PRIMARY KEY ("tenant_id", "number")
);

CREATE TABLE "bill_line" (
  "tenant_id" TEXT NOT NULL,
  "bill_number" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "cents" INTEGER NOT NULL,
  CONSTRAINT "bill_line_pkey" PRIMARY KEY ("tenant_id", "bill_number", "position"),
  CONSTRAINT "bill_line_tenant_id_bill_number_fkey" FOREIGN KEY ("tenant_id", "bill_number") REFERENCES "bill" ("tenant_id", "number") ON DELETE CASCADE ON UPDATE CASCADE
);
